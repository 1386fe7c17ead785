create or replace function staging_to_production.status_rule(expression text)
returns text
language sql
immutable
set search_path = ''
as $$
  select format(
    'case upper(%s) when ''PENDING'' then ''PENDING'' when ''CANCELED'' then ''CANCELED'' when ''CANCELLED'' then ''CANCELED''
       when ''COMPLETED'' then ''COMPLETED'' else ''SCHEDULED'' end', expression)
$$;
comment on function staging_to_production.status_rule(text) is 'SQL: the label of "BookingStatus" that a status becomes; null and what is no status become SCHEDULED. Written into queries, for a function called for each row would take most of their time.';
