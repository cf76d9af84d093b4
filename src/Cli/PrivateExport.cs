using BackupDr.Contracts;

namespace BackupDr.Cli;

/// <summary>A file that is fetched from a node, for whoever asked for it alone. It has its name once it is whole.</summary>
static class PrivateExport
{
    const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>Writes it.</summary>
    /// <param name="path">Where; a file of this name is replaced.</param>
    /// <param name="what">What it is, at the beginning of a sentence: "The bundle".</param>
    /// <param name="fetch">Writes its content.</param>
    /// <exception cref="BadInputException">It cannot be written there.</exception>
    public static async Task Write(string path, string what, Func<Stream, Task> fetch)
    {
        try
        {
            await using (var into = new FileStream(path + ".part", new FileStreamOptions
            {
                Mode = FileMode.Create,
                Access = FileAccess.Write,
                UnixCreateMode = Private,
            })) await fetch(into);
            File.Move(path + ".part", path, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new BadInputException("file", $"{what} cannot be written to {path}: {e.Message}",
                "Check the rights and the free space of its folder.");
        }
    }
}
