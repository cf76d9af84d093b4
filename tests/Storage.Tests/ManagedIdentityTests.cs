using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using BackupDr.Contracts;
using BackupDr.Storage.Azure;
using BackupDr.TestKit;
using BackupDr.TestKit.Servers;

namespace BackupDr.Storage.Tests;

/// <summary>A container that opens with the machine's own identity: a stand-in for the machine's endpoint, and an Azurite that wants
/// tokens.</summary>
public sealed class ManagedIdentityTests : IDisposable
{
    static readonly CancellationToken None = CancellationToken.None;
    static readonly ObjectName Name = new("config");

    readonly TestAuthority _authority = new("Acme Root");
    readonly HttpListener _machine = new();
    readonly List<string> _asked = [];
    readonly int _port = FreePorts.Find();
    Func<(int Status, string Body)> _answer = () => (200, Token(TimeSpan.FromHours(1)));

    public ManagedIdentityTests()
    {
        _machine.Prefixes.Add($"http://127.0.0.1:{_port}/");
        _machine.Start();
        _ = Serve();
    }

    public void Dispose()
    {
        _machine.Close();
        _authority.Dispose();
    }

    async Task Serve()
    {
        while (_machine.IsListening)
        {
            HttpListenerContext asked;
            try { asked = await _machine.GetContextAsync(); }
            catch (Exception e) when (e is HttpListenerException or ObjectDisposedException) { return; }   // the test is over
            lock (_asked) _asked.Add($"{asked.Request.Headers["X-IDENTITY-HEADER"]} {asked.Request.RawUrl}");
            var (status, body) = _answer();
            asked.Response.StatusCode = status;
            await asked.Response.OutputStream.WriteAsync(Encoding.UTF8.GetBytes(body));
            asked.Response.Close();
        }
    }

    // Azurite looks at who made a token, for whom and until when, and not at its signature.
    static string Token(TimeSpan lasts)
    {
        var now = TimeProvider.System.GetUtcNow();
        var ends = (now + lasts).ToUnixTimeSeconds();
        var claims = string.Create(CultureInfo.InvariantCulture, $$"""
            {"aud":"https://storage.azure.com","iss":"https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
            "iat":{{now.AddMinutes(-5).ToUnixTimeSeconds()}},"nbf":{{now.AddMinutes(-5).ToUnixTimeSeconds()}},"exp":{{ends}}}
            """);
        var token = $"{Part("""{"alg":"RS256","typ":"JWT"}""")}.{Part(claims)}.{Part("no signature")}";
        return JsonSerializer.Serialize(new { access_token = token, expires_on = ends.ToString(CultureInfo.InvariantCulture) });

        static string Part(string text) => System.Buffers.Text.Base64Url.EncodeToString(Encoding.UTF8.GetBytes(text));
    }

    StoreOptions Options(string account, string? who = null) => new($"azure.identity={account}")
    {
        AuthorityPem = _authority.Pem,
        Environment = name => name switch
        {
            "IDENTITY_ENDPOINT" => $"http://127.0.0.1:{_port}/token",
            "IDENTITY_HEADER" => "header",
            "AZURE_CLIENT_ID" => who,
            _ => null,
        },
        Retry = new() { Budget = TimeSpan.Zero },
    };

    [Fact]
    public async Task A_container_opens_without_a_key_and_the_token_is_asked_for_once()
    {
        using var certificate = _authority.Sign("127.0.0.1");
        await using var azurite = await AzuriteWithTokens.Start(certificate);
        await using var store = new AzureStore(AzureAddress.Parse("azure:backups:/p"), Options(azurite.Account, "the one"));

        await store.Put(Name, new byte[] { 1, 2, 3 }, None);
        var back = new byte[3];
        await store.Read(Name, 0, back, None);

        Assert.Equal([1, 2, 3], back);
        Assert.Single(await store.List("", None).ToListAsync(None));
        Assert.True(await store.Delete(Name, None));
        Assert.Equal("header /token?api-version=2019-08-01&resource=https%3A%2F%2Fstorage.azure.com%2F&client_id=the%20one",
            Assert.Single(_asked));
    }

    [Fact]
    public async Task A_token_that_ends_soon_is_asked_for_again()
    {
        using var certificate = _authority.Sign("127.0.0.1");
        await using var azurite = await AzuriteWithTokens.Start(certificate);
        await using var store = new AzureStore(AzureAddress.Parse("azure:backups:/p"), Options(azurite.Account));
        _answer = () => (200, Token(TimeSpan.FromMinutes(4)));

        await store.Put(Name, new byte[] { 1 }, None);
        Assert.NotNull(await store.Head(Name, None));

        Assert.True(_asked.Count >= 2, $"asked {_asked.Count} times");
    }

    [Theory]
    [InlineData(400, """{"error":"invalid_request","error_description":"Nobody."}""", StoreFault.Denied, "400, Nobody")]
    [InlineData(500, "", StoreFault.Unavailable, "500")]
    [InlineData(200, "no JSON", StoreFault.Unusable, "the answer is no token")]
    [InlineData(200, """{"access_token":7}""", StoreFault.Unusable, "the answer is no token")]
    public async Task What_the_machine_answers_instead_of_a_token_is_told(int status, string body, StoreFault fault, string words)
    {
        _answer = () => (status, body);
        await using var store = new AzureStore(AzureAddress.Parse("azure:backups:/p"), Options("https://127.0.0.1:9/account"));

        var e = await Assert.ThrowsAsync<StoreException>(() => store.Head(Name, None));

        Assert.Equal(fault, e.Fault);
        Assert.Contains(words, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_machine_without_an_identity_says_so_and_an_account_is_a_name_or_an_address()
    {
        _machine.Stop();
        await using var store = new AzureStore(AzureAddress.Parse("azure:backups:/p"), Options("account"));

        var e = await Assert.ThrowsAsync<StoreException>(() => store.Head(Name, None));

        Assert.Equal(StoreFault.Denied, e.Fault);
        Assert.Contains("there is no answer at 127.0.0.1", e.Message, StringComparison.Ordinal);
        Assert.Equal("https://account.blob.core.windows.net", store.Account);
        // The token opens more than one account: it is handed to nobody but Azure.
        foreach (var wrong in (string[])["account.evil.org/", "http://plain.example/account", "https://user:word@host/account",
            "https://account.blob.core.windows.net.evil.example", "https://collector.example"])
            Assert.Throws<BadInputException>(() => new AzureStore(AzureAddress.Parse("azure:backups:/p"), Options(wrong)));
    }
}
