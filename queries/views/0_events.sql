-- events: one row per normalized event and further credential that it shows.
-- Answers: what exactly happened?
-- Reads: stored_events
-- `event_uid` is made of the source, its scope and the native id (or, where the log has none, of
-- the file and the record's place), so that no bytes are stored for it. A further row of a record
-- adds which of them it is.
SELECT
    concat(
        source, '/', source_scope, '/', coalesce(native_uid, concat(file_uid, '#', record_number)),
        CASE WHEN record_part IS NOT NULL THEN concat('+', record_part) END
    ) AS event_uid,
    *
FROM stored_events
