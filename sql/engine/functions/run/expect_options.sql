create or replace function imago.expect_options(backup boolean, max_failures text, on_failure text, dry_run boolean)
returns void
language plpgsql
stable
set search_path = ''
as $$
begin
  if dry_run is null then
    perform imago.raise_error('IM004', 'dry_run');
  end if;
  if on_failure not in ('stop', 'rollback') then
    perform imago.raise_error('IM015', 'on_failure', on_failure, 'stop or rollback');
  end if;
  if max_failures !~ '^[0-9]{1,9}$' and max_failures !~ '^(100|[0-9]{1,2}(\.[0-9]{1,4})?)%$' then
    perform imago.raise_error('IM015', 'max_failures', max_failures, 'a number, or a percentage such as 2%');
  end if;
  if on_failure = 'rollback' and not backup then
    perform imago.raise_error('IM015', 'on_failure', on_failure, 'stop, when backup is false: without a journal there is no way back');
  end if;
end
$$;
comment on function imago.expect_options(boolean, text, text, boolean) is 'Refuses options of a run that make no sense (IM004, IM015); null is what the run has.';
