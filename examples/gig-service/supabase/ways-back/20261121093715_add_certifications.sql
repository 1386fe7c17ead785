-- The way back of: Add certifications
-- Run it by `db downgrade`, which moves these aside first, into schema imago_attic:
--   column public.freelancers.certifications

ALTER TABLE "public"."freelancers"
  DROP COLUMN "certifications";
