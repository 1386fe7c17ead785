-- Add certifications
--   added column public.freelancers.certifications

ALTER TABLE "public"."freelancers"
  ADD COLUMN "certifications" text[] NOT NULL DEFAULT '{}'::text[];
