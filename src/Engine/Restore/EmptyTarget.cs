using BackupDr.Contracts;
using BackupDr.Engine.Format;

namespace BackupDr.Engine.Restore;

/// <summary>A folder that does not exist yet: what a preview of a restore looks at. Nothing can be written to it.</summary>
public sealed class EmptyTarget : IRestoreTarget
{
    /// <inheritdoc/>
    public void MakeFolder(IReadOnlyList<FilePath> path, Node folder) => throw OnlyToLook();

    /// <inheritdoc/>
    public IRestoreFile? OpenFile(IReadOnlyList<FilePath> path, Node file) => throw OnlyToLook();

    /// <inheritdoc/>
    public void MakeSpecial(IReadOnlyList<FilePath> path, Node node) => throw OnlyToLook();

    /// <inheritdoc/>
    public void MakeHardLink(IReadOnlyList<FilePath> path, IReadOnlyList<FilePath> existing, Node node) => throw OnlyToLook();

    /// <inheritdoc/>
    public void FinishFolder(IReadOnlyList<FilePath> path, Node folder) => throw OnlyToLook();

    /// <inheritdoc/>
    public void Dispose() => GC.SuppressFinalize(this);

    static InvalidOperationException OnlyToLook() => new("A preview writes nothing.");
}
