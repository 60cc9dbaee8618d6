"""Stands in for a package's build code while pip downloads its source: states name and version, runs nothing.

pip asks a source distribution for its metadata before it keeps the archive, and that runs the package's setup code.
`package.obtain_sdist` puts a module made of this file's text before the real build tool, so pip gets the two facts that
the registry knows anyway, and no line of the package runs. Were it ever bypassed, what runs is code of registered
bytes: pip refuses any other archive before it unpacks it.
"""

import os


def prepare_metadata_for_build_wheel(metadata_directory, config_settings=None):
    """Write the dist-info folder pip asks for and return its name."""
    package, version = os.environ["DREAMACTOR_SDIST"].split("==")
    name = f"{package.replace('-', '_')}-{version}.dist-info"
    os.makedirs(os.path.join(metadata_directory, name))
    with open(os.path.join(metadata_directory, name, "METADATA"), "w", encoding="utf-8") as file:
        file.write(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n")
    return name


class __legacy__:  # pip looks for this name where a package has only a setup.py
    prepare_metadata_for_build_wheel = staticmethod(prepare_metadata_for_build_wheel)
