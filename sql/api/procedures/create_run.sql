create or replace function imago.create_run()
returns void
language plpgsql
volatile
set search_path = ''
as $$
begin
  -- It looks nothing up by a search_path: each name is qualified, and there is no operator.
  create or replace procedure imago.run(
    plan text default 'avatars',
    direction text default 'forward',
    seconds integer default null,
    batch_size integer default null,
    force boolean default null,
    inout answer jsonb default null
  )
  language plpgsql
  as $procedure$
  declare
    pause double precision;
  begin
    loop
      select c.answer, c.pause into answer, pause from imago.run_call(plan, direction, seconds, batch_size, force) c;
      commit;
      exit when pause is null;
      perform pg_catalog.pg_sleep(pause);
      commit;
    end loop;
  end
  $procedure$;
  revoke all on procedure imago.run(text, text, integer, integer, boolean, jsonb) from public, anon, authenticated, service_role;
  comment on procedure imago.run(text, text, integer, integer, boolean, jsonb) is 'Migrates a plan, or takes it back, from one connection, with a commit after each batch.';
end
$$;
comment on function imago.create_run() is 'Makes the procedure imago.run, which drives a plan from one connection, with a commit after each batch. For psql, as the role postgres. It is not there by itself: what commits can have no search_path of its own, and the advisors of Supabase warn of that.

Example: select imago.create_run(); call imago.run(''avatars'')';
