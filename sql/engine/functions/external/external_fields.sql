create or replace function imago.external_fields(run imago.run, staged imago.plan)
returns jsonb
language sql
stable
set search_path = ''
as $$
  select jsonb_build_object(
    'stage', staged.stage, 'retry_after_ms', 1000,
    'hint', format('Stage %s of plan %s is done outside of the database. A driver that has its function goes on: npm run migrate in the project with the plan''s folder; or your own, by claim_entities and return_entities.',
      staged.stage, run.plan))
$$;
comment on function imago.external_fields(imago.run, imago.plan) is 'Fields of the answer of a call that has come to an external stage, which SQL cannot do.';
