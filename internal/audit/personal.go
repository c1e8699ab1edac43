package audit

import "slices"

// UserTarget is the kind of target whose TargetID is a person's sub.
const UserTarget = "user"

// Personal reports whether a value of that name, in Details, Before or After of an
// event about that kind of target, says something of a person, so that it has to be
// forgotten with them. Only names at the top of those maps are looked at: what is
// personal never hides deeper.
func Personal(targetKind, name string) bool {
	switch name {
	case "username", "email", "new_email", "phone_number", "given_name", "family_name", "middle_name", "nickname",
		"gender", "birthdate", "address", "user_agent":
		return true
	}
	ofPeople := []string{"name", "note", "picture", "profile", "website", "zoneinfo", "locale"}
	return targetKind == UserTarget && slices.Contains(ofPeople, name)
}
