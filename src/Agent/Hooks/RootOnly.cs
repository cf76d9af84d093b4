using BackupDr.Storage.Posix;

namespace BackupDr.Agent.Hooks;

/// <summary>What root alone may have put on this host.</summary>
static class RootOnly
{
    const int WritableByOthers = 0x12;   // 022
    const int Executable = 0x49;         // 0111

    /// <summary>What is wrong with a file or folder, as the end of a sentence that begins with its path; null where nothing is.</summary>
    /// <param name="status">It.</param>
    /// <param name="kind">What it must be.</param>
    /// <param name="isRun">Whether it must be executable; a folder must be anyhow.</param>
    public static string? Wrong(FileStatus status, FileKind kind, bool isRun = true) => status.Kind != kind
        ? kind == FileKind.Folder ? "is no folder" : "is no regular file"
        : status.Uid != 0 ? "does not belong to root"
        : (status.Permissions & WritableByOthers) != 0 ? "can be written by others than root"
        : isRun && (status.Permissions & Executable) == 0 ? "is not executable" : null;
}
