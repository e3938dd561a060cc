-- files: inputs and how far each was read.
-- Answers: was this file read, and what became of its records?
-- Reads: stored_files, of which the latest row of a file holds
SELECT s.*
FROM stored_files AS s
JOIN (SELECT file_uid, max(batch) AS batch FROM stored_files GROUP BY file_uid) AS l
    ON l.file_uid = s.file_uid AND l.batch = s.batch
