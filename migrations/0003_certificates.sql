-- Client certificates, by which one logs in as by a token. What is hashed is the account with the certificate's SHA-256, which
-- is kept beside it to be shown: it is no secret. Empty: it is a token.

ALTER TABLE tokens ADD COLUMN fingerprint BLOB NOT NULL DEFAULT x'';
