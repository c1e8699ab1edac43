package accounts

import "strings"

// The permissions of the built-in API that let somebody administer the deployment,
// over the admin API and in the console. A permission to write does not imply the
// one to read.
const (
	AdminUsersRead  = "admin:users:read"
	AdminUsersWrite = "admin:users:write"
	// AdminUsersCredentials is for everything by which an account could be taken
	// over: passwords, links to sign in, factors, the mail address.
	AdminUsersCredentials = "admin:users:credentials"
	AdminGroupsRead       = "admin:groups:read"
	AdminGroupsWrite      = "admin:groups:write"
	AdminAPIsRead         = "admin:apis:read"
	AdminAPIsWrite        = "admin:apis:write"
	AdminClientsRead      = "admin:clients:read"
	AdminClientsWrite     = "admin:clients:write"
	AdminConsentsRead     = "admin:consents:read"
	AdminConsentsWrite    = "admin:consents:write"
	AdminSessionsRead     = "admin:sessions:read"
	AdminSessionsWrite    = "admin:sessions:write"
	AdminKeysRead         = "admin:keys:read"
	AdminKeysWrite        = "admin:keys:write"
	AdminRevocationsRead  = "admin:revocations:read"
	AdminRevocationsWrite = "admin:revocations:write"
	AdminAuditRead        = "admin:audit:read"
	AdminSettingsRead     = "admin:settings:read"
	AdminSettingsWrite    = "admin:settings:write"
)

// BuiltinPermissions lists the permissions of the API that Gatehouse itself serves.
func BuiltinPermissions() []NewPermission {
	return []NewPermission{
		{Name: PermissionRevocationsRead, Description: "Follow which tokens were revoked"},
		{Name: PermissionSignalsManage, Description: "Receive signals about people whom the app names"},
		{Name: PermissionSignalsAll, Description: "Receive signals about everybody"},
		{Name: AdminUsersRead, Description: "See users"},
		{Name: AdminUsersWrite, Description: "Create, change, ban and delete users"},
		{Name: AdminUsersCredentials, Description: "Set passwords, reset factors and make sign-in links of users"},
		{Name: AdminGroupsRead, Description: "See groups and their members"},
		{Name: AdminGroupsWrite, Description: "Change groups, their members and permissions"},
		{Name: AdminAPIsRead, Description: "See APIs and their permissions"},
		{Name: AdminAPIsWrite, Description: "Change APIs and their permissions"},
		{Name: AdminClientsRead, Description: "See apps"},
		{Name: AdminClientsWrite, Description: "Register and change apps"},
		{Name: AdminConsentsRead, Description: "See what people allowed apps"},
		{Name: AdminConsentsWrite, Description: "Take back what people allowed apps"},
		{Name: AdminSessionsRead, Description: "See where people are signed in"},
		{Name: AdminSessionsWrite, Description: "Sign people out"},
		{Name: AdminKeysRead, Description: "See signing keys"},
		{Name: AdminKeysWrite, Description: "Rotate signing keys"},
		{Name: AdminRevocationsRead, Description: "See revocations and who has applied them"},
		{Name: AdminRevocationsWrite, Description: "Revoke tokens"},
		{Name: AdminAuditRead, Description: "See the audit log"},
		{Name: AdminSettingsRead, Description: "See the settings of the deployment"},
		{Name: AdminSettingsWrite, Description: "Change the settings of the deployment"},
	}
}

// IsBuiltinPermission reports whether a permission's name belongs to the built-in
// API: no other API can have such a name.
func IsBuiltinPermission(name string) bool {
	for _, own := range []string{"revocations:", "signals:", "admin:"} {
		if strings.HasPrefix(name, own) {
			return true
		}
	}
	return false
}

// AdminPermissions lists the names of the permissions to administer.
func AdminPermissions() []string {
	var names []string
	for _, p := range BuiltinPermissions() {
		if strings.HasPrefix(p.Name, "admin:") {
			names = append(names, p.Name)
		}
	}
	return names
}
