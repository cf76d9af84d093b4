using BackupDr.Contracts;
using BackupDr.Engine.Format;
using BackupDr.Engine.Restore;

namespace BackupDr.TestKit.Crashes;

/// <summary>A restore target whose calls are steps of a <see cref="CrashTrigger"/>.</summary>
public sealed class CrashingTarget(IRestoreTarget inner, CrashTrigger trigger) : IRestoreTarget
{
    public void MakeFolder(IReadOnlyList<FilePath> path, Node folder) => trigger.Step("make folder", () => inner.MakeFolder(path, folder));

    public RestoreChoice Look(IReadOnlyList<FilePath> path, Node node) => inner.Look(path, node);

    public IExistingFile? OpenExisting(IReadOnlyList<FilePath> path, Node file)
        => inner.OpenExisting(path, file) is { } existing ? new CrashingExistingFile(existing, trigger) : null;

    public IRestoreFile? OpenFile(IReadOnlyList<FilePath> path, Node file)
    {
        IRestoreFile? opened = null;
        trigger.Step("open file", () => opened = inner.OpenFile(path, file));
        return opened is null ? null : new CrashingFile(opened, trigger);
    }

    public void MakeSpecial(IReadOnlyList<FilePath> path, Node node) => trigger.Step("make special", () => inner.MakeSpecial(path, node));

    public void MakeHardLink(IReadOnlyList<FilePath> path, IReadOnlyList<FilePath> existing, Node node)
        => trigger.Step("make hard link", () => inner.MakeHardLink(path, existing, node));

    public void FinishFolder(IReadOnlyList<FilePath> path, Node folder)
        => trigger.Step("finish folder", () => inner.FinishFolder(path, folder));

    public void Complete() => trigger.Step("complete", inner.Complete);

    public void Dispose() => inner.Dispose();

    class CrashingFile(IRestoreFile inner, CrashTrigger trigger) : IRestoreFile
    {
        public void Write(long offset, ReadOnlySpan<byte> data)
        {
            trigger.Reach("write file", isAfter: false);
            inner.Write(offset, data);
            trigger.Reach("write file", isAfter: true);
        }

        public void Finish(Node file) => trigger.Step("finish file", () => inner.Finish(file));

        public void Dispose()
        {
            inner.Dispose();
            GC.SuppressFinalize(this);
        }
    }

    sealed class CrashingExistingFile(IExistingFile inner, CrashTrigger trigger) : CrashingFile(inner, trigger), IExistingFile
    {
        readonly CrashTrigger _trigger = trigger;
        readonly IExistingFile _inner = inner;

        public int Read(long offset, Span<byte> target) => _inner.Read(offset, target);

        public long SizeBytes => _inner.SizeBytes;

        public bool IsShared => _inner.IsShared;

        public bool TryBeginMending()
        {
            var began = false;
            _trigger.Step("begin mending", () => began = _inner.TryBeginMending());
            return began;
        }
    }
}
