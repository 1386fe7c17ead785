create or replace function imago.capture_keys(write imago.plan_write)
returns text
language sql
stable
set search_path = ''
as $$
  select format(
    'if (coalesce(current_setting(''imago.back'', true), '''') <> '''' or not imago_fires) and %s then
       raise exception using errcode = ''IM072'', message = ''a primary key was changed'', table = %L;
     end if;',
    -- Where triggers of the app may be to blame, refuse_new_keys has looked already.
    imago.identity_changed(write.relation, write.key_columns, false), write.relation)
$$;
comment on function imago.capture_keys(imago.plan_write) is 'PL/pgSQL of a capture function: refuses rows whose primary key a batch, or a trigger of the app, has changed (IM072).';
