using BackupDr.Contracts;
using BackupDr.Engine;

namespace BackupDr.Cli;

/// <summary>What the program's exit code says. The same numbers as stock restic, so that scripts keep working.</summary>
static class ExitCodes
{
    public const int Done = 0;
    public const int Failed = 1;
    /// <summary>A snapshot was made, but some files are missing from it; or some files were not restored.</summary>
    public const int Incomplete = 3;
    public const int NoRepository = 10;
    public const int Locked = 11;
    public const int WrongPassword = 12;
    /// <summary>What is to be read lies in an archive and is not thawed yet.</summary>
    public const int NotThawed = 20;
    /// <summary>An export of evidence or of the audit log, or that log itself, is not as it was written.</summary>
    public const int Altered = 21;
    /// <summary>A dry run found that something would change.</summary>
    public const int WouldChange = 22;
    /// <summary>Stopped by Ctrl-C.</summary>
    public const int Interrupted = 130;

    public static int Of(BackupDrException failure) => failure is RepositoryException e ? e.Fault switch
    {
        RepositoryFault.Missing => NoRepository,
        RepositoryFault.Locked => Locked,
        RepositoryFault.WrongPassword => WrongPassword,
        RepositoryFault.Archived or RepositoryFault.Thawing => NotThawed,
        _ => Failed,
    } : failure.Code == "bundle.altered" ? Altered : Failed;
}
