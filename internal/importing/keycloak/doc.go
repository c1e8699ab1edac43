// Package keycloak reads the JSON of a realm that Keycloak exports (`kc.sh export`), with
// people in the same file or in files of their own.
//
// What becomes of what:
//
//   - People keep their id as sub, so that apps know them again, and their passwords.
//   - A group becomes a group of the name of its path without the first slash, inside
//     the group of its parent: as in Keycloak, who is in it holds what the parent holds.
//   - A realm role becomes a group, and a role that it is made of a group around it.
//   - A client's role becomes a permission of an API, if one is named for the client.
//   - A client becomes a client of the type that does the least of what it could do, and
//     holds the permissions to which the roles and groups of its service account come.
//
// Keycloak's own roles and clients (account, admin-cli, realm-management ...) open
// Keycloak, and are left out.
package keycloak
