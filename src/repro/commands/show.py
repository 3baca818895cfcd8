def present(folder):
    print(folder)
