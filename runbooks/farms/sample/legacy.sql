-- The application before it had tenants: no farms, and no table says whose its rows are.

CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    name text NOT NULL
);

CREATE TABLE batches (
    id bigint PRIMARY KEY,
    code text NOT NULL,
    status text NOT NULL,
    sown_on date NOT NULL
);

-- This one was begun by somebody: the column is there, and a few rows are filled.
CREATE TABLE customers (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    farm_id uuid
);

-- A name that has to be quoted.
CREATE TABLE "Price List" (
    id bigint PRIMARY KEY,
    item text NOT NULL
);

INSERT INTO users VALUES
    ('00000000-0000-4000-9000-000000000001', 'admin@farms.example', 'Ada Admin'),
    ('00000000-0000-4000-9000-000000000002', 'siobhan.obrien@farms.example', 'Siobhán O''Brien');
INSERT INTO batches SELECT n, 'B-' || lpad(n::text, 4, '0'), 'harvested', date '2025-01-01' + n % 200 FROM generate_series(1, 500) AS n;
INSERT INTO customers SELECT n, 'Restaurant ' || n FROM generate_series(1, 30) AS n;
INSERT INTO "Price List" SELECT n, 'Item ' || n FROM generate_series(1, 10) AS n;
