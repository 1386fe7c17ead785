-- What was in the database before it had versions.

CREATE TABLE "public"."freelancers" (
  "id"         bigint                   GENERATED ALWAYS AS IDENTITY NOT NULL,
  "name"       text                     NOT NULL,
  "languages"  text[]                   NOT NULL DEFAULT '{}'::text[],
  "created_at" timestamp with time zone NOT NULL DEFAULT now(),
  CONSTRAINT "freelancers_pkey" PRIMARY KEY (id)
);

ALTER TABLE "public"."freelancers"
  ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON TABLE "public"."freelancers" FROM "anon", "authenticated", "service_role";

CREATE TABLE "public"."gigs" (
  "id"            bigint        GENERATED ALWAYS AS IDENTITY NOT NULL,
  "freelancer_id" bigint        NOT NULL,
  "title"         text          NOT NULL,
  "price"         numeric(10,2) NOT NULL,
  CONSTRAINT "gigs_pkey" PRIMARY KEY (id),
  CONSTRAINT "gigs_price_check" CHECK ((price >= (0)::numeric))
);

ALTER TABLE "public"."gigs"
  ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON TABLE "public"."gigs" FROM "anon", "authenticated", "service_role";

REVOKE ALL ON SEQUENCE "public"."freelancers_id_seq" FROM "anon";

REVOKE ALL ON SEQUENCE "public"."freelancers_id_seq" FROM "authenticated";

REVOKE ALL ON SEQUENCE "public"."freelancers_id_seq" FROM "service_role";

REVOKE ALL ON SEQUENCE "public"."gigs_id_seq" FROM "anon";

REVOKE ALL ON SEQUENCE "public"."gigs_id_seq" FROM "authenticated";

REVOKE ALL ON SEQUENCE "public"."gigs_id_seq" FROM "service_role";

CREATE TYPE "public"."gig_state" AS ENUM (
  'draft',
  'published',
  'closed'
);

ALTER TABLE "public"."gigs"
  ADD COLUMN "state" public.gig_state NOT NULL DEFAULT 'draft'::public.gig_state;

ALTER TABLE "public"."gigs"
  ADD CONSTRAINT "gigs_freelancer_id_fkey" FOREIGN KEY (freelancer_id) REFERENCES public.freelancers(id) ON DELETE CASCADE;

CREATE INDEX gigs_freelancer_id_idx ON public.gigs USING btree (freelancer_id);

COMMENT ON COLUMN "public"."freelancers"."languages" IS 'Spoken languages, as ISO 639-1 codes.';

COMMENT ON TABLE "public"."freelancers" IS 'Who offers gigs.';
