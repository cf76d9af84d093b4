using System.Text;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;

namespace BackupDr.Storage.Tests;

/// <summary>What somebody with a stolen shared access signature would try on a container, and what came of it.</summary>
/// <param name="thief">With the signature in question.</param>
/// <param name="owner">Prepares what is attacked and looks what is left of it.</param>
/// <param name="prefix">The repository that the signature was made for.</param>
/// <param name="elsewhere">Another container of the account, with the signature.</param>
sealed class AzureAttempts(BlobContainerClient thief, BlobContainerClient owner, string prefix, BlobContainerClient elsewhere)
{
    const string Pack = "data/ab/p";
    static readonly BinaryData Original = BinaryData.FromString("original"), Other = BinaryData.FromString("other");

    /// <summary>All attempts, each on a fresh object.</summary>
    public async IAsyncEnumerable<(string What, string Came)> All()
    {
        yield return ("look for what is not there", await Try(Pack, _ => thief.GetBlobClient($"{prefix}/locks/none").ExistsAsync()));
        yield return ("remove a lock", Lifted(await Try("locks/l", blob => blob.DeleteAsync())));
        foreach (var (what, name) in Came.Kinds) yield return ($"delete {what}", await Try(name, blob => blob.DeleteAsync()));
        foreach (var (what, name) in Came.Kinds)
            yield return ($"overwrite {what}", await Try(name, blob => blob.UploadAsync(Other.ToStream(), new BlobUploadOptions())));
        yield return ("overwrite a pack in parts", await Try(Pack, async blob =>
        {
            var id = Convert.ToBase64String(Encoding.UTF8.GetBytes("1"));
            await blob.StageBlockAsync(id, Other.ToStream());
            await blob.CommitBlockListAsync([id]);
        }));
        yield return ("overwrite a pack with a copy", await Try(Pack, async blob =>
        {
            var source = thief.GetBlobClient($"{prefix}/locks/source");
            await owner.GetBlobClient(source.Name).UploadAsync(Other, overwrite: true);
            await (await blob.StartCopyFromUriAsync(source.Uri)).WaitForCompletionAsync();
        }));
        yield return ("change the class of a pack", await Try(Pack, blob => blob.SetAccessTierAsync(AccessTier.Archive)));
        yield return ("shorten the retention of a pack", await TryWhatIsMissing(Pack, blob => blob.SetImmutabilityPolicyAsync(
            new BlobImmutabilityPolicy { ExpiresOn = TimeProvider.System.GetUtcNow().AddMinutes(1) })));
        yield return ("lift the legal hold of a pack", await TryWhatIsMissing(Pack, blob => blob.SetLegalHoldAsync(false)));
        yield return ("change who may do what", await Try(Pack, _ => thief.SetAccessPolicyAsync(PublicAccessType.BlobContainer)));
        yield return ("delete the bucket", await Try(Pack, _ => thief.DeleteAsync()));
        await owner.GetBlobClient("another/config").UploadAsync(Original, overwrite: true);
        yield return ("list another host's repository", await Try(Pack, _ => List("another/")));
        yield return ("list the whole bucket", await Try(Pack, _ => List("")));
        yield return ("read another host's repository", await Try(Pack, _ => thief.GetBlobClient("another/config").DownloadContentAsync()));
        yield return ("write into another host's repository", await Try(Pack, _ => thief.UploadBlobAsync("another/data/ab/p", Other)));
        yield return ("write into another bucket", await Try(Pack, _ => elsewhere.UploadBlobAsync("x", Other)));
    }

    // That is what locks are for.
    static string Lifted(string came) => came == Came.Refused ? came : Came.Allowed;

    async Task<string> Try(string name, Func<BlockBlobClient, Task> attempt)
    {
        var blob = owner.GetBlobClient($"{prefix}/{name}");
        await blob.UploadAsync(Original, overwrite: true);
        try { await attempt(thief.GetBlockBlobClient(blob.Name)); }
        catch (RequestFailedException e) when (e.Status == 403 && e.ErrorCode != "AuthenticationFailed") { return Came.Refused; }
        return await Holds(blob) ? Came.Allowed : Came.Lost;
    }

    // The emulator answers 501, or 500 with a signature, to what it does not have.
    async Task<string> TryWhatIsMissing(string name, Func<BlockBlobClient, Task> attempt)
    {
        try { return await Try(name, attempt); }
        catch (RequestFailedException e) when (e.Status is 500 or 501) { return Came.Untested; }
    }

    static async Task<bool> Holds(BlobClient blob)
    {
        try { return (await blob.DownloadContentAsync()).Value.Content.ToString() == Original.ToString(); }
        catch (RequestFailedException e) when (e.Status == 404) { return false; }
    }

    async Task List(string from)
    {
        await foreach (var _ in thief.GetBlobsAsync(BlobTraits.None, BlobStates.None, from, default)) { }
    }
}
