create or replace function imago.raise_unreadable(plan_name text, what text, sqlstate text, context text)
returns void
language plpgsql
stable
set search_path = ''
as $$
declare
  raiser record := imago.find_raiser(context, raise_unreadable.sqlstate, plan_name);
begin
  if left(raise_unreadable.sqlstate, 2) in ('40', '53', '57') or raise_unreadable.sqlstate in ('55P03', '55006')
     or raiser.by_engine and raise_unreadable.sqlstate like 'IM%' then
    return;
  end if;
  perform imago.raise_error('IM071', what, plan_name,
    imago.sqlstate_text(raise_unreadable.sqlstate, nullif(raiser.raised_by, what)));
end
$$;
comment on function imago.raise_unreadable(text, text, text, text) is 'Raises IM071: a view or function of a plan cannot be read. Not for what passes by itself (locks, room), nor for what the engine has raised: the caller raises that again.';
