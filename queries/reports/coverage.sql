-- coverage: what each source and scope was seen to cover.
-- Answers: which logs could have shown a use, from when and up to when?
-- Reads: source_coverage
-- Cannot show: holes of less than an hour that nothing else tells of; the view `source_coverage`
-- says how its numbers are counted, `secret_coverage` which of this a version concerns.
SELECT
    source, source_scope, start_time, watermark_time, event_count, observed_hours, reject_count,
    hole_count, delay, blind_spots, holes
FROM source_coverage
ORDER BY source, source_scope
