"""Where images come from: public tags, or images built on this machine from Debian's packages."""
