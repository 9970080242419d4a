SELECT
    COUNT(*) AS segments,
    SUM(size) AS size
FROM pg_ls_waldir()
WHERE name ~ '^[0-9A-F]{24}$';
