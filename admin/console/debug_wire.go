package console

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gatehouse-id/gatehouse/admin"
	"github.com/gatehouse-id/gatehouse/internal/snippet"
	"github.com/gatehouse-id/gatehouse/templates"
)

// stepBlock draws a request with its answer, and as it can be made by hand.
func stepBlock(n int, s debugStep) templates.ConsoleBlock {
	at := strconv.Itoa(n + 1)
	block := templates.ConsoleBlock{
		ID: "step-" + at, Heading: templates.Say("console.debug.step_"+s.Kind, "Number", n+1),
		Code: []templates.ConsoleCode{
			{ID: "request-" + at, Said: templates.Say("console.debug.request"), Text: requestText(s.Wire)},
			{ID: "answer-" + at, Said: templates.Say("console.debug.answer"), Text: answerText(s.Wire)},
		},
	}
	if s.Kind == "authorize" { // it takes a browser
		block.Note = templates.Say("console.debug.authorize_note")
		return block
	}
	block.Code = append(block.Code, templates.ConsoleCode{ID: "curl-" + at, Said: templates.Say("console.debug.curl"), Text: curlText(s.Wire), Folded: true})
	return block
}

// requestText is the request as it is sent, the form with a line for each field.
func requestText(w admin.Wire) string {
	var b strings.Builder
	b.WriteString(w.Method + " " + w.URL + "\n")
	for _, h := range w.Header {
		b.WriteString(h[0] + ": " + h[1] + "\n")
	}
	for i, f := range w.Form {
		b.WriteString([]string{"\n", "&"}[min(i, 1)] + url.QueryEscape(f[0]) + "=" + escaped(f[1]) + "\n")
	}
	return b.String()
}

// escaped leaves the sign of what was left out as it is.
func escaped(value string) string {
	if value == "…" {
		return value
	}
	return url.QueryEscape(value)
}

func answerText(w admin.Wire) string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(w.Status) + " " + http.StatusText(w.Status) + "\n")
	for _, h := range w.AnswerHeader {
		b.WriteString(h[0] + ": " + h[1] + "\n")
	}
	if w.Body == "" {
		return b.String()
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, []byte(w.Body), "", "  ") != nil {
		return b.String() + "\n" + w.Body
	}
	return b.String() + "\n" + pretty.String()
}

// curlText is the request for a shell. Only the credential is missing.
func curlText(w admin.Wire) string {
	parts := []string{"curl " + snippet.Word(w.URL)}
	if w.User != "" {
		parts = append(parts, "-u "+snippet.Word(w.User)+`:"$CLIENT_SECRET"`)
	}
	for _, h := range w.Header {
		if h[0] == "Authorization" && w.User == "" {
			parts = append(parts, "-H "+snippet.Word(h[0]+": "+h[1]))
		}
	}
	for _, f := range w.Form {
		parts = append(parts, "--data-urlencode "+snippet.Word(f[0]+"="+f[1]))
	}
	return strings.Join(parts, " \\\n  ") + "\n"
}

// jsonField is a member of an answer that is a text.
func jsonField(body, name string) string {
	var fields map[string]any
	_ = json.Unmarshal([]byte(body), &fields) // pages and empty answers have none
	text, _ := fields[name].(string)
	return text
}
