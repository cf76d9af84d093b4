using BackupDr.Contracts;
using BackupDr.Storage.Posix;

namespace BackupDr.Cli;

/// <summary>The other programs of this installation; they lie in this program's folder.</summary>
static class Sibling
{
    /// <summary>Absolute path of a sibling.</summary>
    /// <exception cref="NotFoundException">It is not installed here.</exception>
    public static string PathOf(string program)
    {
        var path = Path.Combine(AppContext.BaseDirectory, program);
        return File.Exists(path) ? path
            : throw new NotFoundException($"The program {path}", "It is part of the installation: install or build BackupDr again.");
    }

    /// <summary>Becomes the sibling: same process, same terminal.</summary>
    public static int Become(string program, IReadOnlyList<string> arguments) => throw ProcessImage.Replace(PathOf(program), arguments);
}
