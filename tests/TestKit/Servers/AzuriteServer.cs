using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text.Json;
using Azure.Storage;
using Azure.Storage.Sas;
using BackupDr.Storage;
using BackupDr.Storage.Azure;
using BackupDr.Storage.Layers;
using Xunit;

namespace BackupDr.TestKit.Servers;

/// <summary>The Azure Blob service for tests: the blob part of the emulator Azurite, on loopback.</summary>
/// <remarks>Used as an assembly fixture; started by the first test that asks. About a second and 110 MiB. It keeps tiers, conditions,
/// blocks and signatures as the service does; it has no versions, no retention and no legal hold.</remarks>
public sealed class AzuriteServer : IAsyncDisposable
{
    /// <summary>The name of its account.</summary>
    public const string Account = "backupdr";

    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    readonly SemaphoreSlim _once = new(1, 1);
    readonly ScratchFolder _folder = new();
    readonly string _key = Convert.ToBase64String(RandomNumberGenerator.GetBytes(64));
    GuardedProcess? _running;
    int _containers;
    int _port;
    string? _failure;

    /// <summary>Address of the account: "http://127.0.0.1:PORT/backupdr".</summary>
    public string Endpoint => $"http://127.0.0.1:{_port}/{Account}";

    static string Installed => Path.Combine(Service.Checkout(), "artifacts/azurite/node_modules/azurite");

    static string Program => Path.Combine(Installed, "dist/src/blob/main.js");

    /// <summary>Which one is installed: "3.37.0". Only after <see cref="Start"/>.</summary>
    public static string Version => JsonDocument.Parse(File.ReadAllText(Path.Combine(Installed, "package.json"))).RootElement
        .GetProperty("version").GetString()!;

    /// <summary>Starts it if need be. Skips the test where it is not installed.</summary>
    public async Task Start()
    {
        await _once.WaitAsync();
        try
        {
            if (_failure is not null) Assert.Fail(_failure);   // once is enough to wait for
            if (_running is not null) return;
            Find();
            _port = FreePorts.Find();
            _running = new GuardedProcess(_folder.At("azurite.out"),
                ["node", Program, "--location", _folder.Folder("blobs"), "--blobHost", "127.0.0.1", "--blobPort",
                    _port.ToString(CultureInfo.InvariantCulture), "--silent", "--disableTelemetry"],
                new Dictionary<string, string> { ["AZURITE_ACCOUNTS"] = $"{Account}:{_key}" });
            await UntilItAnswers(_running);
        }
        catch (Xunit.Sdk.XunitException e) when (e is not Xunit.Sdk.SkipException)
        {
            _failure = e.Message;
            throw;
        }
        finally { _once.Release(); }
    }

    /// <summary>Its program. Skips the test where it is not installed.</summary>
    internal static string Find()
    {
        Tool.Need("node", "nodejs");
        if (!File.Exists(Program)) Missing($"{Program}: ./test installs it with npm");
        return Program;
    }

    /// <summary>An address in a new, empty container.</summary>
    public async Task<AzureAddress> NewContainer(string prefix = "")
    {
        await Start();
        var name = string.Create(CultureInfo.InvariantCulture, $"container-{Interlocked.Increment(ref _containers)}");
        await using (var top = new AzureStore(AzureAddress.Parse($"azure:{name}:/"), Options()))
        {
            await top.Put(new ObjectName("made"), new byte[1], CancellationToken.None);
            await top.Delete(new ObjectName("made"), CancellationToken.None);
        }
        return AzureAddress.Parse($"azure:{name}:/{prefix}");
    }

    /// <summary>The connection string with this server's key.</summary>
    public string Words => WordsWithKey(_key);

    /// <summary>The connection string that leads over another host and port.</summary>
    public string WordsAt(Uri way) => $"AccountName={Account};AccountKey={_key};BlobEndpoint={new Uri(way, Account)};";

    /// <summary>A connection string with any key.</summary>
    public string WordsWithKey(string key) => $"AccountName={Account};AccountKey={key};BlobEndpoint={Endpoint};";

    /// <summary>A connection string that has only a signature for one container.</summary>
    public string WordsWithSignature(string container, BlobContainerSasPermissions may, DateTimeOffset ends)
    {
        var sas = new BlobSasBuilder(may, ends) { BlobContainerName = container, Resource = "c" };
        return $"BlobEndpoint={Endpoint};SharedAccessSignature={sas.ToSasQueryParameters(new StorageSharedKeyCredential(Account, _key))}";
    }

    /// <summary>Options with this server's key.</summary>
    public StoreOptions Options(params IEnumerable<string> pairs) => OptionsWith(Words, pairs);

    /// <summary>Options with any connection string.</summary>
    public static StoreOptions OptionsWith(string words, params IEnumerable<string> pairs) => new(pairs)
    {
        Environment = name => name == "AZURE_STORAGE_CONNECTION_STRING" ? words : null,
        Retry = new RetryOptions { Budget = TimeSpan.FromSeconds(30) },
    };

    /// <summary>The environment in which programs find the key.</summary>
    public Dictionary<string, string> Keys => new() { ["AZURE_ACCOUNT_NAME"] = "", ["AZURE_STORAGE_CONNECTION_STRING"] = Words };

    public async ValueTask DisposeAsync()
    {
        if (_running is not null) await _running.DisposeAsync();
        _folder.Dispose();
        _once.Dispose();
    }

    async Task UntilItAnswers(GuardedProcess process)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(5) };
        for (var begun = Stopwatch.GetTimestamp(); ;)
        {
            try
            {
                using var answer = await http.GetAsync(new Uri(Endpoint + "?comp=list"));   // refused without a key, which is an answer
                return;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                if (process.HasEnded) Assert.Fail($"Azurite ended: {process.LastWords}");
            }
            if (Stopwatch.GetElapsedTime(begun) > Patience) Assert.Fail($"Azurite does not answer at {Endpoint}.");
            await Task.Delay(50);
        }
    }

    static void Missing(string what)
    {
        if (Environment.GetEnvironmentVariable("CI") == "true") Assert.Fail($"{what} is missing.");
        Assert.Skip($"needs {what}");
    }
}
