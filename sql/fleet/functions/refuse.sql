create or replace function imago_fleet.refuse(code text, message text, hint text)
returns void
language plpgsql
set search_path = ''
as $$
begin
  raise exception using errcode = refuse.code, message = refuse.message, hint = refuse.hint;
end
$$;

comment on function imago_fleet.refuse(text, text, text) is 'Refuses what was asked for: FL001 to FL006, each with its cause and a remedy.';
