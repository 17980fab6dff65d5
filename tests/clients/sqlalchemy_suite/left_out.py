"""The tests of SQLAlchemy's suite that are left out, each with its reason.

Tests of whole features that Aurora DSQL lacks are left out by requirements.py.
"""

_NO_CACHE = "the dialect writes Identity() without CACHE, which Aurora DSQL refuses"
_LEVELS = "the dialect names isolation levels that Aurora DSQL refuses"
_NAME = "it expects PostgreSQL's form of an answer only from a dialect that is called postgresql"

LEFT_OUT = {
    "BizarroCharacterTest.test_reflect_identity": _NO_CACHE,
    "ReturningTest.test_imv_returning_datatypes": _NO_CACHE,
    "ReturningTest.test_insert_w_floats": _NO_CACHE,
    "IdentityAutoincrementTest": _NO_CACHE,
    "IdentityColumnTest": _NO_CACHE,
    "IdentityReflectionTest": _NO_CACHE,
    "IsolationLevelTest.test_invalid_level_engine_param": _LEVELS,
    "IsolationLevelTest.test_invalid_level_execution_option": _LEVELS,
    "IsolationLevelTest.test_dialect_user_setting_is_restored": _LEVELS,
    "ComponentReflectionTestExtra.test_reflect_covering_index": _NAME,
    "ComponentReflectionTestExtra.test_reflect_expression_based_indexes": _NAME,
}
"""Classes, or classes and functions, with the reason."""
