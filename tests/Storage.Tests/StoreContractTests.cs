using BackupDr.Storage.Folder;
using BackupDr.Storage.Layers;
using BackupDr.TestKit;
using BackupDr.TestKit.Stores;

namespace BackupDr.Storage.Tests;

public sealed class MemoryStoreTests : ObjectStoreContract
{
    protected override IObjectStore Make() => new MemoryStore();
}

public sealed class FolderStoreContractTests : ObjectStoreContract
{
    readonly ScratchFolder _scratch = new();

    // Each put waits for the disk three times; a thousand show what ten thousand would, and the listing test has its own.
    protected override int ManyObjects => 1_000;

    protected override IObjectStore Make() => new FolderStore(_scratch.FilePath, TimeProvider.System);

    public override async ValueTask DisposeAsync()
    {
        await base.DisposeAsync();
        _scratch.Dispose();
    }
}

public sealed class RetryingStoreContractTests : ObjectStoreContract
{
    protected override IObjectStore Make() => new RetryingStore(new MemoryStore(), new RetryOptions(), TimeProvider.System);
}
