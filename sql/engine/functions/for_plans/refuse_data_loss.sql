create or replace function imago.refuse_data_loss(plan_name text, what text)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if current_setting('imago.allow_data_loss', true) is distinct from 'on' then
    perform imago.raise_error('IM043', plan_name, what);
  end if;
end
$$;
comment on function imago.refuse_data_loss(text, text) is 'For plans: refuses in a finalize step (IM043) what would be lost, unless the caller has said allow_data_loss. what: counts and keys, no values.

Example: select imago.refuse_data_loss(''initials'', ''3 users would lose their initials'')';
