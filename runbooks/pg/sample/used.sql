-- Every index that serves no constraint is used once, and the statistics of that are there at once.
SET enable_seqscan = off;
SELECT count(*) FROM orders WHERE customer_id = 1;
SELECT count(*) FROM order_items WHERE order_id = 1;
RESET enable_seqscan;
SELECT pg_stat_force_next_flush();
