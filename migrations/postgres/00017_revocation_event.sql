-- +goose Up

-- The event of the audit log with which a row was written, to show what caused it. It is
-- no part of the hash chain and of what followers are told. Rows of before this schema,
-- and those that a node of the release before writes, have none. No reference: events
-- leave the log by age without a look at the ledger.
ALTER TABLE revocations ADD COLUMN event bytea;
