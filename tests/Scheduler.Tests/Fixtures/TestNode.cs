using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Serialization.Metadata;
using BackupDr.Contracts;
using BackupDr.Contracts.Agents;
using BackupDr.Contracts.Api;
using BackupDr.Scheduler.Access;
using BackupDr.Scheduler.ControlPlane;
using BackupDr.Scheduler.Database;
using BackupDr.Scheduler.Hosts;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace BackupDr.Scheduler.Tests.Fixtures;

/// <summary>A whole node in this process: Kestrel on free ports of loopback, a private database, its keys in a temporary folder.</summary>
public sealed class TestNode : IAsyncDisposable
{
    /// <summary>Has every right of a person.</summary>
    public static readonly Caller Admin = Caller.OfKey("test", Role.Admin);

    readonly string _folder;
    readonly List<IDisposable> _clients = [];

    readonly bool _hasLoops;

    TestNode(WebApplication app, string folder, string connectionString, bool hasLoops)
    {
        (App, _folder, ConnectionString, _hasLoops) = (app, folder, connectionString, hasLoops);
    }

    public WebApplication App { get; }
    public string ConnectionString { get; }
    public Postgres Db => Get<Postgres>();
    public Uri Console => Get<Listeners>().Console;
    public Uri Agents => Get<Listeners>().Agents;
    public string Folder => _folder;

    /// <summary>The API key in the bootstrap file.</summary>
    public static string BootstrapKey => "test-bootstrap-key-0123456789";

    /// <param name="databases">Where its database comes from.</param>
    /// <param name="change">Changes its settings.</param>
    /// <param name="shared">Another node, to share its database and keys.</param>
    /// <param name="add">Exchanges parts; the node then has the role of a console, without its pages.</param>
    public static async Task<TestNode> Start(SchedulerDatabases databases, Func<NodeSettings, NodeSettings>? change = null,
        TestNode? shared = null, Action<WebApplicationBuilder>? add = null)
    {
        var folder = shared?._folder ?? Directory.CreateTempSubdirectory("bdr-node-").FullName;
        var connectionString = shared?.ConnectionString ?? await databases.NewConnectionString();
        var keyFile = Path.Combine(folder, "bootstrap");
        await File.WriteAllTextAsync(keyFile, BootstrapKey);
        var settings = new NodeSettings
        {
            Database = new DatabaseOptions { ConnectionString = connectionString },
            Console = new ConsoleOptions { Url = "http://127.0.0.1:0" },
            Agents = new AgentsOptions { Url = "https://127.0.0.1:0" },
            Secrets = new SecretsOptions { KeyFile = Path.Combine(folder, "sealing.key") },
            Bootstrap = new BootstrapOptions { ApiKeyFile = keyFile },
            Node = new NodeOptions { Roles = add is null ? [NodeRole.Api] : [NodeRole.Api, NodeRole.Console] },
            Log = new LogOptions { Level = LogLevel.Critical },
            ControlPlane = new ControlPlaneOptions { TermLookSeconds = 3600 },   // once at the start; tests look when they want to
        };
        settings = change?.Invoke(settings) ?? settings;
        var node = new TestNode(SchedulerNode.Create(settings, add), folder, settings.Database.ConnectionString,
            settings.Node.Is(NodeRole.Loops));
        try
        {
            await node.App.StartAsync();
            return node;
        }
        catch
        {
            await node.DisposeAsync();
            throw;
        }
    }

    public T Get<T>() where T : notnull => App.Services.GetRequiredService<T>();

    /// <summary>Moves the database's clock() forward.</summary>
    public Task PassTime(TimeSpan time) => Db.Execute("update test_skew set value = value + $1", [time], CancellationToken.None);

    /// <summary>A client of the console's listener; keeps cookies, follows nothing.</summary>
    public HttpClient Client(string? key = null)
    {
        var client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = Console };
        if (key is not null) client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        _clients.Add(client);
        return client;
    }

    /// <summary>A client with the bootstrap key.</summary>
    public HttpClient AdminClient() => Client(BootstrapKey);

    /// <summary>A client of the agents' listener that trusts the installation's authority only.</summary>
    public HttpClient AgentClient(X509Certificate2? certificate = null)
    {
        var client = new HttpClient(AgentWay(certificate)) { BaseAddress = Agents };
        _clients.Add(client);
        return client;
    }

    /// <summary>The way to the agents' listener.</summary>
    public SocketsHttpHandler AgentWay(X509Certificate2? certificate = null)
    {
        var authority = X509Certificate2.CreateFromPem(Get<CertificateAuthority>().AuthorityPem);
        var handler = new SocketsHttpHandler();
        handler.SslOptions.RemoteCertificateValidationCallback = (_, server, _, _) =>
        {
            using var chain = new X509Chain();
            chain.ChainPolicy.TrustMode = X509ChainTrustMode.CustomRootTrust;
            chain.ChainPolicy.CustomTrustStore.Add(authority);
            chain.ChainPolicy.RevocationMode = X509RevocationMode.NoCheck;
            chain.ChainPolicy.ApplicationPolicy.Add(new Oid("1.3.6.1.5.5.7.3.1"));
            return server is X509Certificate2 leaf && chain.Build(leaf);
        };
        if (certificate is not null) handler.SslOptions.LocalCertificateSelectionCallback = (_, _, _, _, _) => certificate;
        return handler;
    }

    /// <summary>A token for one host.</summary>
    public Task<JoinToken> NewToken() => Get<CreateJoinToken>().Handle(Admin, new CreateJoinTokenRequest(), CancellationToken.None);

    /// <summary>A host that joined over HTTPS as an agent does.</summary>
    public async Task<JoinedHost> Join(string name = "web-1")
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var response = await AgentClient().PostAsync("/agent/v1/join",
            Json(JoinRequestOf((await NewToken()).Token, key, name), WireJson.Default.JoinRequest));
        response.EnsureSuccessStatusCode();
        var answer = (await response.Content.ReadFromJsonAsync(WireJson.Default.JoinAnswer))!;
        return new JoinedHost(answer.HostId, WithKey(answer.CertificatePem, key));
    }

    public static JoinRequest JoinRequestOf(string token, ECDsa key, string name = "web-1", string subject = "CN=whatever") => new()
    {
        Token = token,
        CsrPem = Csr(key, subject),
        HostName = name,
        OperatingSystem = "Debian GNU/Linux 12",
        AgentVersion = "0.1.0",
        ProtocolVersion = AgentProtocol.Version,
    };

    public static string Csr(ECDsa key, string subject = "CN=whatever") => new CertificateRequest(subject, key, HashAlgorithmName.SHA256)
        .CreateSigningRequestPem();

    /// <summary>A certificate that a TLS client can use.</summary>
    public static X509Certificate2 WithKey(string pem, ECDsa key)
    {
        using var certificate = X509Certificate2.CreateFromPem(pem);
        using var both = certificate.CopyWithPrivateKey(key);
        return X509CertificateLoader.LoadPkcs12(both.Export(X509ContentType.Pkcs12), null);
    }

    public static JsonContent Json<T>(T value, JsonTypeInfo<T> shape) => JsonContent.Create(value, shape);

    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients) client.Dispose();
        if (_hasLoops)   // what is under way would find its parts disposed of
        {
            using var late = new CancellationTokenSource(TimeSpan.FromSeconds(20));
            await App.StopAsync(late.Token);
        }
        await App.DisposeAsync();
    }
}

/// <summary>A host that joined, with its client certificate.</summary>
public sealed record JoinedHost(HostId Id, X509Certificate2 Certificate);

/// <summary>Reading answers.</summary>
public static class Answers
{
    /// <summary>The problem details of a refusal, whose status is the answer's.</summary>
    public static async Task<ApiProblem> Problem(this HttpResponseMessage response)
    {
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = await response.Content.ReadFromJsonAsync(WireJson.Default.ApiProblem);
        Assert.Equal((int)response.StatusCode, problem!.Status);
        return problem;
    }
}
