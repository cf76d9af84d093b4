using BackupDr.Agent.Hooks;
using BackupDr.Contracts;
using BackupDr.Contracts.Specs;
using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Steps;

/// <summary>Files of this host that say what runbooks may do here. Root alone decides what stands in them.</summary>
/// <param name="folder">Absolute path.</param>
public sealed class AllowedSteps(string folder)
{
    /// <summary>The list of services that runbooks may start and stop.</summary>
    public const string Services = "services";
    /// <summary>The list of database servers that runbooks may promote and ask: host:port, or socket folder:port.</summary>
    public const string Databases = "databases";
    /// <summary>The list of database servers that runbooks may make standbys of: host:port, data folder and service.</summary>
    public const string Standbys = "standbys";

    /// <summary>Where they are unless told otherwise.</summary>
    public const string Default = "/etc/backupdr/steps.d";

    /// <summary>A program that runbooks may run.</summary>
    /// <returns>Its absolute path.</returns>
    /// <exception cref="StepRefusedException">It is not there, or somebody else than root could have put it there.</exception>
    public string Script(string name)
    {
        if (!HooksSpec.IsName(name) || name is Services or Databases or Standbys)
            throw new StepRefusedException("step.name", $"'{name}' is no file name of a program for runbooks.",
                "Letters, digits, dots, dashes and underscores.");
        var file = Path.Combine(folder, name);
        MustBeRoots(file, isRun: true, $"Put the program into {folder} of the host, owned by root, with mode 755 or 700.");
        return file;
    }

    /// <summary>Makes sure that a list of this host has an entry.</summary>
    /// <param name="list">File name of the list: a line for each.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="what">What it is, in words.</param>
    /// <exception cref="StepRefusedException">It has not.</exception>
    public void MustAllow(string list, string entry, string what)
    {
        var file = Path.Combine(folder, list);
        var hint = $"Write a line '{entry}' into {file} of the host, owned by root.";
        MustBeRoots(file, isRun: false, hint);
        if (!File.ReadLines(file).Any(line => line.Trim() == entry))
            throw new StepRefusedException("step.not_listed", $"Runbooks may not touch the {what} {entry} of this host.", hint);
    }

    /// <summary>What a list of this host says of an entry: the words after it.</summary>
    /// <param name="list">File name of the list: a line for each.</param>
    /// <param name="entry">The entry: the line's first word.</param>
    /// <param name="what">What it is, in words.</param>
    /// <param name="rest">What follows it, in words.</param>
    /// <exception cref="StepRefusedException">It says nothing of it.</exception>
    public IReadOnlyList<string> Entry(string list, string entry, string what, string rest)
    {
        var file = Path.Combine(folder, list);
        var hint = $"Write a line '{entry} {rest}' into {file} of the host, owned by root.";
        MustBeRoots(file, isRun: false, hint);
        return File.ReadLines(file).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            .FirstOrDefault(words => words.Length > 0 && words[0] == entry)?[1..]
            ?? throw new StepRefusedException("step.not_listed", $"Runbooks may not touch the {what} {entry} of this host.", hint);
    }

    void MustBeRoots(string file, bool isRun, string hint)
    {
        foreach (var path in (string[])[folder, file])
        {
            FileStatus status;
            try { status = Descriptor.StatOf(FilePath.FromText(path)); }
            catch (PosixException e)
            {
                throw new StepRefusedException("step.not_allowed", $"This host does not let runbooks do that: {path}: "
                    + $"{PosixException.Describe(e.Errno)}.", hint);
            }
            if (RootOnly.Wrong(status, path == file ? FileKind.File : FileKind.Folder, isRun || path == folder) is { } wrong)
                throw new StepRefusedException("step.unsafe", $"This host does not let runbooks do that: {path} {wrong}.", hint);
        }
    }
}

/// <summary>A step of a runbook is not carried out here. Nothing was done.</summary>
public sealed class StepRefusedException(string code, string message, string? hint = null) : BackupDrException(code, message, hint);
