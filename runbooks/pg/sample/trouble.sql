-- All that can be wrong with tables, indexes and sequences at once.

-- An index is missing on a foreign key; two are the same; one begins as another does; one is invalid.
DROP INDEX order_items_order_id_idx;
CREATE INDEX orders_customer_again_idx ON orders (customer_id);
CREATE INDEX orders_customer_placed_idx ON orders (customer_id, placed_at);
CREATE INDEX orders_broken_idx ON orders (total);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'orders_broken_idx'::regclass;

-- Weak points of a schema.
CREATE TABLE import_lines (line text, loaded_at timestamptz);
CREATE UNLOGGED TABLE cache_entries (key text PRIMARY KEY, value text);
CREATE TABLE shipments (id smallserial PRIMARY KEY, order_id integer REFERENCES orders, weight numeric);
ALTER TABLE shipments ADD CONSTRAINT shipments_weight_check CHECK (weight > 0) NOT VALID;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER shipments_touch BEFORE UPDATE ON shipments FOR EACH ROW EXECUTE FUNCTION touch();
ALTER TABLE shipments DISABLE TRIGGER shipments_touch;
CREATE RULE keep_lines AS ON DELETE TO import_lines DO INSTEAD NOTHING;

-- A sequence near its end.
SELECT setval('shipments_id_seq', 32000);

-- A table that is full of dead rows, and where autovacuum is off.
CREATE TABLE visits (id integer PRIMARY KEY, seen integer NOT NULL) WITH (autovacuum_enabled = false);
INSERT INTO visits SELECT n, 0 FROM generate_series(1, 12000) n;
ANALYZE visits;
UPDATE visits SET seen = 1;
ANALYZE orders;
SELECT pg_stat_force_next_flush();
