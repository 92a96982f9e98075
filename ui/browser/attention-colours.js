// Colours of attention: tables of 256, from matplotlib, so that a value has the same colour here and in reports.
const MAGMA_TABLE =
  "00000401000501010601010802010902020b02020d03030f03031204041405041606051806051a07061c08071e0907200a08220b0924" +
  "0c09260d0a290e0b2b100b2d110c2f120d31130d34140e36150e38160f3b180f3d19103f1a10421c10441d11471e114920114b21114e" +
  "22115024125325125527125829115a2a115c2c115f2d11612f116331116533106734106936106b38106c390f6e3b0f703d0f713f0f72" +
  "400f74420f75440f764510774710784910784a10794c117a4e117b4f127b51127c52137c54137d56147d57157e59157e5a167e5c167f" +
  "5d177f5f187f601880621980641a80651a80671b80681c816a1c816b1d816d1d816e1e81701f81721f81732081752181762181782281" +
  "7922827b23827c23827e24828025828125818326818426818627818827818928818b29818c29818e2a81902a81912b81932b80942c80" +
  "962c80982d80992d809b2e7f9c2e7f9e2f7fa02f7fa1307ea3307ea5317ea6317da8327daa337dab337cad347cae347bb0357bb2357b" +
  "b3367ab5367ab73779b83779ba3878bc3978bd3977bf3a77c03a76c23b75c43c75c53c74c73d73c83e73ca3e72cc3f71cd4071cf4070" +
  "d0416fd2426fd3436ed5446dd6456cd8456cd9466bdb476adc4869de4968df4a68e04c67e24d66e34e65e44f64e55064e75263e85362" +
  "e95462ea5661eb5760ec5860ed5a5fee5b5eef5d5ef05f5ef1605df2625df2645cf3655cf4675cf4695cf56b5cf66c5cf66e5cf7705c" +
  "f7725cf8745cf8765cf9785df9795df97b5dfa7d5efa7f5efa815ffb835ffb8560fb8761fc8961fc8a62fc8c63fc8e64fc9065fd9266" +
  "fd9467fd9668fd9869fd9a6afd9b6bfe9d6cfe9f6dfea16efea36ffea571fea772fea973feaa74feac76feae77feb078feb27afeb47b" +
  "feb67cfeb77efeb97ffebb81febd82febf84fec185fec287fec488fec68afec88cfeca8dfecc8ffecd90fecf92fed194fed395fed597" +
  "fed799fed89afdda9cfddc9efddea0fde0a1fde2a3fde3a5fde5a7fde7a9fde9aafdebacfcecaefceeb0fcf0b2fcf2b4fcf4b6fcf6b8" +
  "fcf7b9fcf9bbfcfbbdfcfdbf";
// Of signed values, blue below zero and red above: on white for light pages, on black for dark ones.
const ON_WHITE_TABLE =
  "05306106326407346708366a09386d0a3b700c3d730d3f760e41790f437b10457e114781124984134c87144e8a15508d175290185493" +
  "1956961a58991b5a9c1c5c9f1d5fa21e61a51f63a82065ab2267ac2369ad246aae266caf276eb02870b12a71b22b73b32c75b42e77b5" +
  "2f79b5307ab6327cb7337eb83480b93681ba3783bb3885bc3a87bd3b88be3c8abe3e8cbf3f8ec0408fc14291c24393c34695c44997c5" +
  "4c99c64f9bc7529dc8569fc959a1ca5ca3cb5fa5cd62a7ce65a9cf68abd06bacd16eaed271b0d375b2d478b4d57bb6d67eb8d781bad8" +
  "84bcd987beda8ac0db8dc2dc90c4dd93c6de96c7df98c8e09bc9e09dcbe1a0cce2a2cde3a5cee3a7d0e4a9d1e5acd2e5aed3e6b1d5e7" +
  "b3d6e8b6d7e8b8d8e9bbdaeabddbeac0dcebc2ddecc5dfecc7e0edcae1eecce2efcfe4efd1e5f0d2e6f0d4e6f1d5e7f1d7e8f1d8e9f1" +
  "dae9f2dbeaf2ddebf2deebf2e0ecf3e1edf3e3edf3e4eef4e6eff4e7f0f4e9f0f4eaf1f5ecf2f5edf2f5eff3f5f0f4f6f2f5f6f3f5f6" +
  "f5f6f7f6f7f7f7f6f6f7f5f4f8f4f2f8f3f0f8f2eff8f1edf9f0ebf9efe9f9eee7f9ede5f9ebe3faeae1fae9dffae8defae7dcfbe6da" +
  "fbe5d8fbe4d6fbe3d4fce2d2fce0d0fcdfcffcdecdfdddcbfddcc9fddbc7fdd9c4fcd7c2fcd5bffcd3bcfbd0b9fbceb7fbccb4facab1" +
  "fac8aff9c6acf9c4a9f9c2a7f8bfa4f8bda1f8bb9ef7b99cf7b799f7b596f6b394f6b191f6af8ef5ac8bf5aa89f5a886f4a683f3a481" +
  "f2a17ff19e7df09c7bef9979ee9677ec9374eb9172ea8e70e98b6ee8896ce6866ae58368e48066e37e64e27b62e17860df765ede735c" +
  "dd7059dc6e57db6b55da6853d86551d7634fd6604dd55d4cd35a4ad25849d05548cf5246ce4f45cc4c44cb4942c94741c84440c6413e" +
  "c53e3dc43b3cc2383ac13639bf3338be3036bd2d35bb2a34ba2832b82531b72230b61f2eb41c2db3192cb1182bae172aab162aa81529" +
  "a51429a213289f12289c1127991027960f27930e26900d268d0c258a0b25870a248409248108237f08237c0722790622760521730421" +
  "7003206d02206a011f67001f";
const ON_BLACK_TABLE =
  "9eb0ff9cb0fe9ab0fd98affc95affb93affa91aef98eaef78caef68aaef587adf485adf382adf280acf17eacf07bacee79abed76abec" +
  "74aaeb71aae96fa9e86ca9e66aa8e567a8e365a7e262a6e060a5df5da5dd5ba4db58a3d956a2d754a0d5519fd34f9ed14d9dcf4b9bcd" +
  "489aca4698c84497c64395c34194c13f92be3e90bc3c8eb93b8db7398bb43889b23787af3685ad3584aa3382a83280a6327ea3317ca1" +
  "307a9e2f789c2e76992d75972c73942c71922b6f8f2a6d8d296b8b29698828688627668327648126627f25607c245e7a245d78235b75" +
  "22597322577121556e20546c20526a1f50681e4e651e4d631d4b611c495f1c475c1b465a1a44581a4256194153193f51183d4f173c4d" +
  "173a4b16384916374715354415334214324014303e132f3c132d3a122c38122a3612293411273211263011242e11232c11212a112028" +
  "101f26101d25101c23111b21111a2011191e11181c11161b111519111418111317121215121214131112141011140f10150e0e160e0d" +
  "170d0b180c0a190c091a0c081b0b071c0b061d0b051e0b04200b04210b03220c02230c02240c02250c01260d01270d01280d012a0e01" +
  "2b0e012c0e002d0e002f0e00300f00310f00330f00340f003510003710003810003911003b11003c11013e12013f1201411201421301" +
  "4413014514014714014815024a15024b16024d16024f1703501803521804541905561a05571b06591c075b1d085d1e095f1f0a61200b" +
  "63210c65230e68240f6a25106c27116e2813702a14732b16752d17772f1979301b7b321c7d341e803620823722843924863b26883d28" +
  "8a3f2a8c402c8e422e904430924632944834964a36984c399a4d3b9c4f3d9e513fa05341a25544a45746a65948a85a4aaa5c4cac5e4f" +
  "ae6051b06253b26455b46658b6685ab86a5cba6b5fbc6d61be6f63c07165c27368c4756ac6776cc8796fca7b71cc7d73ce7f76d08178" +
  "d2837ad5857dd7877fd98982db8b84dd8d86df8f89e1918be3938ee59590e79792ea9995ec9b97ee9d9af09f9cf2a19ff4a3a1f6a5a3" +
  "f9a7a6fba9a8fdababffadad";

// A table as the 32 bits that a canvas keeps of a pixel.
const read = (table) =>
  Uint32Array.from({ length: 256 }, (_, at) => {
    const [red, green, blue] = [0, 2, 4].map((part) => Number.parseInt(table.slice(6 * at + part, 6 * at + part + 2), 16));
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
export const MAGMA = read(MAGMA_TABLE);
const ON_WHITE = read(ON_WHITE_TABLE);
const ON_BLACK = read(ON_BLACK_TABLE);

// A logarithmic scale spans so many decades.
export const DECADES = 3;

// From 0 to `most`, linear or logarithmic: the colours, a value's place among the 256, and the marks of a colour bar.
export const oneSided = (most, logarithmic) => {
  const top = most > 0 ? most : 1;
  const place = logarithmic
    ? (value) => (value > 0 ? 1 + Math.log10(value / top) / DECADES : 0)
    : (value) => value / top;
  const marks = logarithmic
    ? Array.from({ length: DECADES + 1 }, (_, at) => [at / DECADES, top * 10 ** (at - DECADES)])
    : [0, 0.25, 0.5, 0.75, 1].map((at) => [at, at * top]);
  return { table: MAGMA, index: indexBy(place), marks, most: top, logarithmic };
};

// From -`most` to `most`, zero in the middle.
export const twoSided = (most, dark) => {
  const top = most > 0 ? most : 1;
  const marks = [-1, -0.5, 0, 0.5, 1].map((at) => [(at + 1) / 2, at * top]);
  return { table: dark ? ON_BLACK : ON_WHITE, index: indexBy((value) => (value / top + 1) / 2), marks, most: top, signed: true };
};

const indexBy = (place) => (value) => Math.max(0, Math.min(255, Math.floor(256 * place(value))));
