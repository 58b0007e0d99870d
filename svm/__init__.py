"""svm: a process virtual machine for Python hosts."""
