"""What napari calls by the manifest and is no panel: readers and writers of its menus, drops and dialogs."""
