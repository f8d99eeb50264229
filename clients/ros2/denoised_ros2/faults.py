"""What can be wrong with a message or with a parameter."""


class MessageFault(ValueError):
    """A message that cannot be used: what was found in which field, and what was expected."""


class ParameterFault(ValueError):
    """A parameter that cannot be used: its name, its value, and what was expected."""

    def __init__(self, name, value, expected):
        super().__init__(f"parameter {name}: found {value!r}, expected {expected}")
        self.name = name
