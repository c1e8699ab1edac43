package main

import (
	"errors"
	"fmt"
	"testing"

	"github.com/gatehouse-id/gatehouse/accounts"
)

// TestSettingsTroubleIsToldOnce: a row that does not fit is told when it comes, and not
// each time that something else has changed.
func TestSettingsTroubleIsToldOnce(t *testing.T) {
	unfit := fmt.Errorf("%w: sign_up", accounts.ErrInvalid)
	other := fmt.Errorf("%w: terms_url", accounts.ErrInvalid)
	away, still := errors.New("away"), errors.New("away, from another port")
	var trouble settingsTrouble
	for n, step := range []struct {
		err           error
		news, passing bool
	}{
		{nil, false, false},
		{unfit, true, false}, {unfit, false, false}, {unfit, false, false},
		{away, true, true}, {still, false, true}, {unfit, false, false},
		{other, true, false}, {other, false, false},
		{nil, false, false}, {other, true, false},
		{away, true, true}, {nil, false, false}, {away, true, true},
	} {
		if news := trouble.news(step.err); news != step.news || trouble.passing != step.passing {
			t.Errorf("step %d, %v: told %t, passing %t", n, step.err, news, trouble.passing)
		}
	}
}
