// Package importing takes over what another program kept about people and what they
// may do. Sources (importing/django, importing/keycloak) read a file of that program
// and say what it holds in the words of this package; Run makes it.
//
// Its rules:
//
//   - A file is read twice: as a whole for everything but its people (a Plan, which is
//     kept in memory and bounded), then once more for the people, one after another.
//     A file that ends too early, or is malformed anywhere, is refused before anything
//     is written.
//   - People are made by accounts.Import, and by nothing else.
//   - It only adds. Who or what is there already stays as it is, so that a run can be
//     repeated and one that was stopped can go on.
//   - Nothing becomes more than it was: a name that does not fit, or that two objects
//     would share, is reported and not bent; a group that is there already gets no
//     members and permissions unless the operator says so.
//   - What is not carried over stands in the Report, with the reason.
//   - A dry run is the same code in transactions that are rolled back.
//
// Files are hostile: values have a largest size and depth, and an object that says the
// same thing twice is refused.
package importing
