using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Hooks;

/// <summary>The folder of this host with the programs that policies may name. What is in it root alone decides.</summary>
/// <param name="path">Absolute path.</param>
public sealed class HookFolder(string path)
{
    /// <summary>Where it is unless told otherwise.</summary>
    public const string Default = "/etc/backupdr/hooks.d";

    /// <summary>The program of a name.</summary>
    /// <param name="name">File name.</param>
    /// <returns>Its absolute path.</returns>
    /// <exception cref="HookException">There is none, or somebody else than root could have put it there.</exception>
    public string Find(string name)
    {
        if (!HooksSpec.IsName(name))
            throw new HookException("hook.name", $"'{name}' is no file name of a hook.", "Letters, digits, dots, dashes and underscores.");
        var file = Path.Combine(path, name);
        MustBeRoots(path, FileKind.Folder);
        MustBeRoots(file, FileKind.File);
        return file;
    }

    static void MustBeRoots(string path, FileKind kind)
    {
        FileStatus status;
        try { status = Descriptor.StatOf(FilePath.FromText(path)); }
        catch (PosixException e)
        {
            throw new HookException("hook.missing", $"The hook cannot be run: {path}: {PosixException.Describe(e.Errno)}.",
                $"Put the program into {Default} of the host, owned by root.");
        }
        if (RootOnly.Wrong(status, kind) is { } wrong)
            throw new HookException("hook.unsafe", $"The hook is not run: {path} {wrong}.", "chown root:root and chmod 755 (or 700).");
    }
}

/// <summary>A hook cannot be run, or failed.</summary>
public sealed class HookException(string code, string message, string? hint = null) : BackupDrException(code, message, hint);
