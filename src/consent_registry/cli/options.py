"""The types of options that several verbs have."""

from typing import Annotated

from cyclopts import Parameter

# An option that is given or not, without a form that begins with --no-.
Flag = Annotated[bool, Parameter(negative="")]
