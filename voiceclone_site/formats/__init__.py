"""How figures are written, where Django's own idea of it is not our readers'."""
