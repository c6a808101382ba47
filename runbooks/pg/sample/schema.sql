-- A shop: small, and in order. What is not in order comes from trouble.sql.

CREATE TABLE customers (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE,
    full_name text NOT NULL,
    created_at timestamptz NOT NULL
);

CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES customers,
    status text NOT NULL CHECK (status IN ('open', 'paid', 'shipped', 'cancelled')),
    placed_at timestamptz NOT NULL,
    total numeric(10, 2) NOT NULL
);
CREATE INDEX orders_customer_id_idx ON orders (customer_id);

CREATE TABLE order_items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES orders ON DELETE CASCADE,
    product text NOT NULL,
    quantity integer NOT NULL CHECK (quantity > 0)
);
CREATE INDEX order_items_order_id_idx ON order_items (order_id);

-- A name that has to be quoted.
CREATE TABLE "Price List" (
    "Product" text PRIMARY KEY,
    "Unit Price" numeric(10, 2) NOT NULL
);

-- Logins that may see little, and that own nothing. Roles are of the whole server: another test may make them too.
DO $$ BEGIN CREATE ROLE little LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
