package importing_test

// realmNotes is what is told of keycloak/testdata/realm.json.
const realmNotes = `
client account: it is Keycloak's own
client board: PKCE is not demanded, as before: demand it when the app sends it
client board: a post-logout redirect URI with a wildcard: register each one that the app sends
client board: a redirect URI that is not taken: https, http on loopback, or an app's own scheme with a dot in it
client board: a redirect URI with a wildcard: register each one that the app sends
client board: a web origin: browsers may call Gatehouse from the origins of a single-page app's redirect URIs
client board: people are asked for consent now (--first-party asks for none where Keycloak asked for none)
client board: the client scope invoices
client board: the implicit flow, which nobody should use any more
client posts: not made: it only checks tokens: make an API for it
client robot: its service account holds a role that is no permission
client robot: the file does not hold its secret: make one by gatehouse client rotate-secret
client urn:saml: not made: it speaks saml
client wild: a redirect URI with a wildcard: register each one that the app sends
client wild: it has to send a PKCE challenge now (S256)
client wild: not made: none of its redirect URIs can be taken
file demo: settings of the realm (lifetimes, flows, policies, mail, themes) are made anew in Gatehouse
file github: an identity provider, with which people signed in
file invoices: a client scope
group /editors: its attributes
group editors/juniors: holds a role that could not be carried over
role account:manage-account: it opens Keycloak itself
role account:view-profile: it opens Keycloak itself
role default-roles-demo: it opens Keycloak itself
role offline_access: it opens Keycloak itself
role realm-management:realm-admin: it opens Keycloak itself
role uma_authorization: it opens Keycloak itself
role wiki:read: no API was named for the roles of its client (--client-roles)
user ada: the attribute shoe size
user ada: the claim website is none that Gatehouse takes
user bob: the required action UPDATE_PROFILE
user bob: was not enabled: banned
user carol: administered Keycloak, and does not administer Gatehouse
user carol: is in a group that the file does not hold
user carol: signed in with an identity provider, and needs a password or a passkey
user carol: the second factor otp has to be enrolled again
`
