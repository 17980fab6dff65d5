"""Which of SQLAlchemy's tests need what Aurora DSQL does not have, and which optional ones it can pass."""

from __future__ import annotations

from typing import Any

from sqlalchemy.testing import exclusions
from sqlalchemy.testing.requirements import SuiteRequirements

_HAS = """
    uuid_data_type table_value_constructor boolean_col_expressions nullsordering intersect except_
    window_functions ctes ctes_with_update_delete ctes_with_values ctes_on_dml tuple_in views
    cross_schema_fk_reflection foreign_key_constraint_name_reflection implicit_default_schema
    reflects_pk_names comment_reflection comment_reflection_full_unicode
    constraint_comment_reflection schema_create_delete
    foreign_key_constraint_option_reflection_ondelete
    fk_constraint_option_reflection_ondelete_restrict
    foreign_key_constraint_option_reflection_onupdate
    fk_constraint_option_reflection_onupdate_restrict unique_constraints_reflect_as_index
    index_reflects_included_columns indexes_check_column_order indexes_with_expressions
    reflect_indexes_with_expressions inline_check_constraint_reflection check_constraint_reflection
    unicode_ddl datetime_interval datetime_timezone time_timezone timestamp_microseconds
    datetime_historic datetime_timezone_historic date_historic autocommit isolation_level json_type
    precision_numerics_enotation_small precision_numerics_many_significant_digits server_defaults
    expression_server_defaults precision_numerics_retains_significant_digits infinity_floats
    float_or_double_precision_behaves_generically update_from delete_from
    mod_operator_as_percent_sign order_by_label_with_expression computed_columns
    computed_columns_stored computed_columns_reflect_persisted supports_distinct_on identity_columns
    identity_columns_standard regexp_match regexp_replace fetch_first fetch_ties fetch_no_order_by
    fetch_expression fetch_offset_with_options supports_bitwise_or supports_bitwise_and
    supports_bitwise_not supports_bitwise_xor supports_bitwise_shift deferrable_fks
    computed_columns_default_persisted json_deserializer_binary
"""
"""Optional features that Aurora DSQL has."""

_LACKS = {
    "temporary_tables": "CREATE TEMPORARY TABLE is refused",
    "temporary_views": "CREATE TEMPORARY VIEW is refused",
    "temp_table_reflection": "there are no temporary tables",
    "temp_table_reflect_indexes": "there are no temporary tables",
    "temp_table_names": "there are no temporary tables",
    "has_temp_table": "there are no temporary tables",
    "savepoints": "SAVEPOINT is refused",
    "two_phase_transactions": "PREPARE TRANSACTION is refused",
    "array_type": "array columns are refused",
    "materialized_views": "CREATE MATERIALIZED VIEW is refused",
    "no_sequences": "sequences exist",
    "indexes_with_ascdesc": "a sort order of index keys is refused",
    "reflect_indexes_with_ascdesc": "a sort order of index keys is refused",
    "server_side_cursors": "DECLARE is refused",
}
"""Features that Aurora DSQL lacks, and what it answers."""


class Requirements(SuiteRequirements):
    """The features of the dialect on Aurora DSQL."""

    def get_isolation_levels(self, config: Any) -> dict[str, Any]:  # noqa: ARG002 - SQLAlchemy calls it
        """The one level that Aurora DSQL has, and AUTOCOMMIT, which only the driver knows."""
        return {"default": "REPEATABLE READ", "supported": ["REPEATABLE READ", "AUTOCOMMIT"]}


for _name in _HAS.split():
    setattr(Requirements, _name, property(lambda _self: exclusions.open()))
for _name in _LACKS:
    setattr(Requirements, _name, property(lambda _self: exclusions.closed()))
