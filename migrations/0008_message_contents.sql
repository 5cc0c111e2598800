-- The contents of messages that lists are narrowed by. Addresses are those of the message, byte for byte.
ALTER TABLE messages ADD COLUMN sender bytea;
ALTER TABLE messages ADD COLUMN receiver bytea;
-- the token of the source chain; null: no token is transferred
ALTER TABLE messages ADD COLUMN token bytea;
-- unsigned, less 2^63: in the order of the numbers
ALTER TABLE messages ADD COLUMN message_number bigint;

-- The canonical message behind the CCV and executor addresses of a body; see message_bodies.
CREATE FUNCTION filling_message(body bytea) RETURNS bytea LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  place int := 1;
BEGIN
  FOR i IN 0 .. get_byte(body, 0) LOOP
    place := place + 1 + get_byte(body, place);
  END LOOP;
  RETURN substring(body FROM place + 1);
END $$;

-- The field behind a length of one byte at `place` (from 0); empty where the bytes end before it does.
CREATE FUNCTION filling_field(bytes bytea, place int) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN place < length(bytes) AND place + get_byte(bytes, place) < length(bytes)
    THEN substring(bytes FROM place + 2 FOR get_byte(bytes, place)) ELSE '' END
$$;

CREATE FUNCTION filling_behind(bytes bytea, place int) RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT place + 1 + CASE WHEN place < length(bytes) THEN get_byte(bytes, place) ELSE 0 END
$$;

CREATE FUNCTION filling_size(bytes bytea, place int) RETURNS int LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE WHEN place + 1 < length(bytes) THEN 256 * get_byte(bytes, place) + get_byte(bytes, place + 1) ELSE 0 END
$$;

-- Offsets: src/protocol/README.md. The token transfer has a version, an amount of 32 bytes, the pool, then the token.
UPDATE messages t SET
  sender = filling_field(x.message, x.sender_at),
  receiver = filling_field(x.message, x.receiver_at),
  token = CASE WHEN filling_size(x.message, x.transfer_at) > 0
    THEN filling_field(x.message, filling_behind(x.message, x.transfer_at + 35)) END,
  message_number = ('x' || encode(substring(x.message FROM 18 FOR 8), 'hex'))::bit(64)::bigint # (-9223372036854775807 - 1)
FROM (
  SELECT y.*, y.blob_at + 2 + filling_size(y.message, y.blob_at) AS transfer_at
  FROM (
    SELECT z.*, filling_behind(z.message, z.receiver_at) AS blob_at
    FROM (
      SELECT w.*, filling_behind(w.message, w.sender_at) AS receiver_at
      FROM (
        SELECT v.message_id, v.message, filling_behind(v.message, filling_behind(v.message, 69)) AS sender_at
        FROM (SELECT b.message_id, filling_message(b.body) AS message FROM message_bodies b) v
      ) w
    ) z
  ) y
) x
WHERE x.message_id = t.message_id;

DROP FUNCTION filling_message, filling_field, filling_behind, filling_size;

ALTER TABLE messages ALTER COLUMN sender SET NOT NULL;
ALTER TABLE messages ALTER COLUMN receiver SET NOT NULL;
ALTER TABLE messages ALTER COLUMN message_number SET NOT NULL;
-- Without a condition on `orphaned`: a query that says `orphaned IS NOT TRUE` can use these and none of those by time,
-- whichever the statistics of a common address make look cheaper.
CREATE INDEX messages_by_sender ON messages (sender, ingestion_ms);
CREATE INDEX messages_by_receiver ON messages (receiver, ingestion_ms);
CREATE INDEX messages_by_token ON messages (token, ingestion_ms) WHERE token IS NOT NULL;
-- By an expression, so that no query by lane and time takes it for its own.
CREATE INDEX messages_by_number ON messages ((source_chain # (dest_chain >> 1)), message_number);
CREATE INDEX messages_by_transaction ON messages (transaction_hash) WHERE transaction_hash IS NOT NULL;
CREATE INDEX executions_by_transaction ON executions (transaction_hash);
