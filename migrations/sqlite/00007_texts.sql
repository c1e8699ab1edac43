-- +goose Up

-- What people read in other languages than that of the columns themselves: a JSON
-- object of texts by BCP 47 tag, such as {"de":{"name":"Notizen"}}.
ALTER TABLE apis ADD COLUMN texts text NOT NULL DEFAULT '{}';
ALTER TABLE permissions ADD COLUMN texts text NOT NULL DEFAULT '{}';
ALTER TABLE clients ADD COLUMN texts text NOT NULL DEFAULT '{}';
